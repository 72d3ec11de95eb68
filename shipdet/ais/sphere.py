"""Positions along great circles, on a sphere of the mean radius."""

import math

import numpy as np

from shipdet.geometry import MEAN_RADIUS_M, Floats


def great_circle(a: Floats, b: Floats, share: float) -> Floats:
    """Interpolate along the great circle between two positions.

    Args:
        a: Longitude and latitude in degrees.
        b: Longitude and latitude in degrees.
        share: 0 at ``a`` to 1 at ``b``.

    Returns:
        Longitude (-180 to 180) and latitude. Spherical interpolation of unit vectors also works
        across the antimeridian.
    """
    p, q = _vector(a), _vector(b)
    angle = math.atan2(float(np.linalg.norm(np.cross(p, q))), float(p @ q))
    if angle < 1e-12:
        return a
    mixed = (math.sin((1 - share) * angle) * p + math.sin(share * angle) * q) / math.sin(angle)
    return _lonlat(mixed)


def carried(place: Floats, course_deg: float, meters: float) -> Floats:
    """Move a position along a course.

    Args:
        place: Longitude and latitude in degrees.
        course_deg: Degrees clockwise from north.
        meters: Distance along the great circle; negative for backwards.

    Returns:
        Longitude (-180 to 180) and latitude.
    """
    up = _vector(place)
    lon = math.radians(float(place[0]))
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    north = np.cross(up, east)
    theta = math.radians(course_deg)
    ahead = math.cos(theta) * north + math.sin(theta) * east
    angle = meters / MEAN_RADIUS_M
    return _lonlat(math.cos(angle) * up + math.sin(angle) * ahead)


def _vector(place: Floats) -> Floats:
    lon, lat = (math.radians(float(value)) for value in place)
    return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])


def _lonlat(vector: Floats) -> Floats:
    x, y, z = vector.tolist()
    return np.degrees([math.atan2(y, x), math.atan2(z, math.hypot(x, y))])
