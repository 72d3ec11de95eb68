"""Generate natural-looking noise, reproducibly and fast on large images."""

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def spectral(
    rng: np.random.Generator,
    size: int,
    wavelength_px: float,
    spread: float,
    direction_deg: float | None = None,
    focus: float = 2.0,
) -> Field:
    """Generate periodic band-limited noise of unit variance.

    Args:
        rng: Source of randomness.
        size: Period in pixels.
        wavelength_px: Center of the band.
        spread: Width of the band in octaves.
        direction_deg: Direction of travel of the waves, in degrees clockwise from up; None for
            isotropic noise.
        focus: Exponent of the cosine that weights waves by their angle to this direction.

    Returns:
        float32 (size, size).
    """
    frequency = np.fft.fftfreq(size).astype(np.float32)
    fy, fx = np.meshgrid(frequency, frequency[: size // 2 + 1].copy(), indexing="ij")
    radius = np.hypot(fx, fy)
    radius[0, 0] = 1e-6
    amplitude = np.exp(-0.5 * (np.log2(radius * wavelength_px) / spread) ** 2) / radius
    if direction_deg is not None:
        theta = np.radians(direction_deg)
        cosine = (fx * np.sin(theta) - fy * np.cos(theta)) / radius
        amplitude *= np.abs(cosine) ** focus
    amplitude[0, 0] = 0
    phase = rng.uniform(0, 2 * np.pi, amplitude.shape)
    field = np.fft.irfft2(amplitude * np.exp(1j * phase), s=(size, size))
    return np.asarray(field / field.std(), dtype=np.float32)


def tiled(field: Field, height: int, width: int) -> Field:
    """Repeat periodic noise over an area (height, width)."""
    rows, columns = -(-height // field.shape[0]), -(-width // field.shape[1])
    return np.tile(field, (rows, columns))[:height, :width]


def clouds(rng: np.random.Generator, height: int, width: int, wavelength_px: float) -> Field:
    """Generate smooth noise (height, width) of about unit variance and a long wavelength."""
    step = wavelength_px / 4
    rows, columns = int(height / step) + 4, int(width / step) + 4
    coarse = cv2.GaussianBlur(rng.standard_normal((rows, columns)).astype(np.float32), (0, 0), 1.2)
    smooth = cv2.resize(coarse / coarse.std(), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, dtype=np.float32)
