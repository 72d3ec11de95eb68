"""Foreign checkpoints become model folders with the same numbers."""

import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from export import checkpoint
from export.checkpoint import convert
from shipdet.errors import BadModel
from shipdet.models.config import UpscalerConfig, read_config
from shipdet.models.hub import resolve
from shipdet.models.networks import build_upscaler

PARAMS = {
    "RRDBNet": {"num_feat": 8, "num_block": 2, "num_grow_ch": 4},
    "SRVGGNetCompact": {"num_feat": 8, "num_conv": 3, "act_type": "prelu"},
}


def network(architecture):
    block = {"format": 1, "task": "super-resolution", "scale": 4, "sha256": "0" * 64}
    config = {"architecture": architecture, "shipdet": block | {"params": PARAMS[architecture]}}
    torch.manual_seed(1)
    return build_upscaler(UpscalerConfig.model_validate(config))


def write_ncnn(folder, net, half):
    """The ncnn form of a network: its convolutions and slopes in the order of its state."""
    lines, data, state = [], b"", net.state_dict()
    for name, value in state.items():
        array = value.numpy()
        if name.endswith("bias"):
            continue
        if array.ndim == 1:
            lines.append(f"PReLU p{len(lines)} 1 1 a b 0={len(array)}")
            data += array.astype("<f4").tobytes()
            continue
        bias = state[name.replace("weight", "bias")].numpy()
        sizes = f"0={len(array)} 1=3 4=1 5=1 6={array.size}"
        lines.append(f"Convolution c{len(lines)} 1 1 a b {sizes}")
        numbers = array.astype("<f2" if half else "<f4").tobytes()
        numbers += b"\0" * (-len(numbers) % 4)
        data += (0x01306B47 if half else 0).to_bytes(4, "little") + numbers
        data += bias.astype("<f4").tobytes()
    text = "\n".join(["7767517", f"{len(lines)} 1", "Input data 0 1 data", *lines])
    (folder / "net.param").write_text(text + "\n")
    (folder / "net.bin").write_bytes(data)
    return folder / "net.param"


@pytest.mark.parametrize("architecture", PARAMS)
@pytest.mark.parametrize("key", ["params_ema", "params", None])
def test_a_pth_is_recognized_and_converted(tmp_path, architecture, key):
    state = network(architecture).state_dict()
    torch.save({key: state} if key else state, tmp_path / "net.pth")
    folder = convert(tmp_path / "net.pth", tmp_path / "out")
    config = read_config(folder)
    assert config.architecture == architecture
    assert config.params.model_dump().items() >= PARAMS[architecture].items()
    loaded = load_file(folder / "model.safetensors")
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("architecture", PARAMS)
@pytest.mark.parametrize("half", [False, True])
def test_ncnn_is_recognized_and_converted(tmp_path, architecture, half):
    net = network(architecture)
    folder = convert(write_ncnn(tmp_path, net, half), tmp_path / "out")
    config = read_config(folder)
    assert config.params.model_dump().items() >= PARAMS[architecture].items()
    loaded = load_file(folder / "model.safetensors")
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(loaded[name].float(), value, atol=1e-3 if half else 0)


def test_a_refused_checkpoint_leaves_the_model_that_was_there(tmp_path):
    state = network("SRVGGNetCompact").state_dict()
    torch.save(state, tmp_path / "net.pth")
    folder = convert(tmp_path / "net.pth", tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    state["body.2.weight"] = state["body.2.weight"][:, :4]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(BadModel):
        convert(tmp_path / "other.pth", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_classifier_takes_the_config_beside_it(tmp_path, make_classifier):
    made = make_classifier(tmp_path / "made")
    torch.save(load_file(made / "model.safetensors"), made / "net.pth")
    folder = convert(made / "net.pth", tmp_path / "out")
    assert read_config(folder).architecture == "convnext_atto"


def test_a_ship_model_is_converted_with_its_map_head(tmp_path, make_classifier, settings):
    made = make_classifier(tmp_path / "made", fine=True)
    torch.save(load_file(made / "model.safetensors"), made / "net.pth")
    folder = convert(made / "net.pth", tmp_path / "out")
    model = resolve(str(folder), settings)
    assert model.map_weights.read_bytes() == (made / "map_head.safetensors").read_bytes()
    (made / "map_head.safetensors").unlink()
    with pytest.raises(BadModel, match=r"put map_head\.safetensors beside it"):
        convert(made / "net.pth", tmp_path / "other")
    assert not (tmp_path / "other").exists()


class Trap:
    def __reduce__(self):
        return (print, ("code ran",))


def test_code_in_a_pickle_does_not_run(tmp_path, capsys):
    torch.save({"params": Trap()}, tmp_path / "net.pth")
    with pytest.raises(BadModel, match="more than tensors"):
        convert(tmp_path / "net.pth", tmp_path / "out")
    assert "code ran" not in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_is_not_a_known_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"nonsense")
    torch.save({"x": torch.zeros(1)}, tmp_path / "b.pth")
    torch.save([1, 2], tmp_path / "c.pth")
    (tmp_path / "d.param").write_text("1234\n")
    (tmp_path / "d.bin").write_bytes(b"")
    for name in ("a.pth", "b.pth", "c.pth", "d.param", "missing.pth", "missing.param"):
        with pytest.raises(BadModel):
            convert(tmp_path / name, tmp_path / "out")


def test_a_damaged_ncnn_file_is_refused(tmp_path):
    param = write_ncnn(tmp_path, network("RRDBNet"), True)
    data = (tmp_path / "net.bin").read_bytes()
    for wrong in (data[:-4], data + b"\0\0\0\0", b"\1" + data[1:]):
        (tmp_path / "net.bin").write_bytes(wrong)
        with pytest.raises(BadModel, match="damaged"):
            convert(param, tmp_path / "out")


def test_the_command_writes_a_folder_or_one_sentence(tmp_path, monkeypatch, capsys):
    torch.save(network("RRDBNet").state_dict(), tmp_path / "net.pth")
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "net.pth"), str(tmp_path / "out")])
    checkpoint.run(checkpoint.main)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["shipdet"]["scale"] == 4
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "none.pth"), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as caught:
        checkpoint.run(checkpoint.main)
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
