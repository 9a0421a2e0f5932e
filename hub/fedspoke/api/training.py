"""What each cluster computes: the model, its adapters, the training of one round, the profiles, and what of it is hidden."""

from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Api, Rule


class Model(Api):
    """The LLaVA that is fine-tuned."""

    name: str = Field("llava-hf/llava-1.5-7b-hf", min_length=1, description="A name on a model hub, or a path.")
    claim_name: str | None = Field(None, description="A PVC on the spoke that holds or caches the model.")


class Lora(Api):
    """Low-rank adapters on the language model's linear layers (arXiv 2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=256)] = Field(16, description="Inner dimension of B·A.")
    alpha: Annotated[float, Field(gt=0)] = Field(32, description="B·A is scaled by alpha / rank.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Share of an adapter's inputs dropped in training.")


class Training(Api):
    """One cluster's training in one round."""

    model: Model = Field(Model(), description="The LLaVA that is fine-tuned.")
    lora: Lora = Field(Lora(), description="The adapters.")
    quantization: Literal["none", "int8", "nf4"] = Field("none", description="How the frozen base model is kept in memory.")
    epochs: Annotated[int, Field(ge=1)] = Field(1, description="Passes over the cluster's posts a round.")
    steps: Annotated[int, Field(ge=1)] | None = Field(None, description="Optimizer steps a round, instead of epochs.")
    batch_size: Annotated[int, Field(ge=1)] = Field(4, description="Posts a forward pass.")
    gradient_accumulation: Annotated[int, Field(ge=1)] = Field(4, description="Forward passes an optimizer step.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(2.0e-4, description="AdamW's peak learning rate.")
    max_length: Annotated[int, Field(ge=16)] = Field(2048, description="Tokens of a post, the image's included.")


class Profiles(Api):
    """One profile a platform and cluster, fused into a general one."""

    enabled: bool = Field(True, description="Whether profiles are made and shared.")
    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="The text encoder: a name on a model hub, or a path."
    )
    epsilon: Annotated[float, Field(gt=0)] | None = Field(
        8, description="Privacy loss per post; null means no noise, and the profile says so."
    )
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(1.0e-5, description="Probability that epsilon does not hold.")
    min_posts: Annotated[int, Field(ge=1)] = Field(20, description="A platform with fewer posts shares no profile.")


class AdapterPrivacy(Api):
    """Clipping and noise on each adapter before it leaves the cluster."""

    mechanism: Literal["none", "gaussian"] = Field("none", description="none: neither clipped nor noised.")
    clip: Annotated[float, Field(gt=0)] = Field(1.0, description="Largest L2 norm of an update.")
    noise_multiplier: Annotated[float, Field(ge=0)] = Field(0.0, description="Standard deviation of the noise, in units of clip.")

    rules = (
        Rule(
            field="noiseMultiplier",
            message="must be greater than 0 when mechanism is gaussian, and 0 when it is none",
            cel="(self.mechanism == 'gaussian') == (self.noiseMultiplier > 0.0)",
            holds=lambda it: (it.mechanism == "gaussian") == (it.noise_multiplier > 0),
        ),
    )


class Privacy(Api):
    """What the hub may learn of one cluster's adapter."""

    adapters: AdapterPrivacy = Field(AdapterPrivacy(), description="Clipping and noise before an adapter leaves the cluster.")
    secure_aggregation: bool = Field(False, description="The hub sees only the sum of the adapters.")
