"""With lora.projector the layers between vision tower and language model learn, too, and the adapter stays one that loads."""

from pathlib import Path

import numpy as np
import torch
from peft import PeftModel

from fedspoke.api import adapter
from fedspoke.api.federated_learning import Lora, Training
from fedspoke.collaborator.model import load
from fedspoke.collaborator.training import Trainer
from fedspoke.hub.aggregation import layout as layouts
from support import adapters as files
from support.tiny import coloured_shapes, tiny_llava

LORA = Lora(rank=4, alpha=8, projector=True)


def test_an_adapter_with_the_projector_is_what_the_hub_takes_is_learned_and_loads_with_peft(tmp_path: Path) -> None:
    posts = coloured_shapes(tmp_path)
    model = Trainer(str(tiny_llava()), Training(lora=LORA, steps=2, learning_rate=4e-3))
    layout = model.layout()
    layouts.check(layout, LORA)
    assert len(layout) == 2 * 7 * 2 + 2 * 2

    drawn = files.drawn(layout, seed=0)
    zero = {name: value if "lora_A" in name else np.zeros_like(value) for name, value in drawn.items()}
    start = files.save(zero, tmp_path / "start")
    model.train(posts, tmp_path, start, tmp_path / "result", 1, lambda *_: None)
    learned = files.load(tmp_path / "result")
    assert all(learned[name].any() for name in learned if "projector" in name)

    adapter.save(tmp_path / "global", tmp_path / "result", LORA, str(tiny_llava()))
    loaded = PeftModel.from_pretrained(load(str(tiny_llava()))[1], tmp_path / "global")
    values = {name: value for name, value in loaded.named_parameters() if "lora_" in name}
    assert len(values) == len(learned)
    for name, value in learned.items():
        torch.testing.assert_close(values[name.replace(".weight", ".default.weight")].data.cpu(), torch.from_numpy(value).float())


def test_without_it_the_projector_has_no_adapter() -> None:
    layout = Trainer(str(tiny_llava()), Training(lora=LORA.model_copy(update={"projector": False}))).layout()
    assert not [tensor for tensor in layout if "projector" in tensor.name]
