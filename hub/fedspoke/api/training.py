"""What each cluster computes: the model, its adapters, the training of one round, the profiles, and what of it is hidden."""

from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Api, Rule


class Model(Api):
    """The LLaVA that is fine-tuned."""

    name: str = Field(
        "llava-hf/llava-1.5-7b-hf", min_length=1, description="A name on a model hub, s3://bucket/folder, or a path."
    )
    claim_name: str | None = Field(None, description="A PVC on the spoke that holds or caches the model.")


Rank = Annotated[int, Field(ge=1, le=256)]


class Lora(Api):
    """Low-rank adapters on the language model's linear layers (arXiv 2106.09685)."""

    rank: Rank = Field(16, description="Inner dimension of B·A.")
    alpha: Annotated[float, Field(gt=0)] = Field(32, description="B·A is scaled by alpha / rank.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Share of an adapter's inputs dropped in training.")
    projector: bool = Field(False, description="Whether the layers between vision tower and language model get adapters, too.")
    ranks: dict[str, Rank] = Field(
        default_factory=dict,
        max_length=1000,
        description="Clusters with a lower rank of their own, by name; only with aggregation.lora svd.",
    )

    rules = (
        Rule(
            field="ranks",
            message="must not be greater than rank, which is the global adapter's",
            cel="!has(self.ranks) || self.ranks.all(name, self.ranks[name] <= self.rank)",
            holds=lambda it: all(rank <= it.rank for rank in it.ranks.values()),
        ),
    )

    def of(self, cluster: str) -> "Lora":
        """The adapter that a cluster trains: with a lower rank, at the same scale, so that products B·A compare."""
        rank = self.ranks.get(cluster, self.rank)
        return self.model_copy(update={"rank": rank, "alpha": self.alpha * rank / self.rank, "ranks": {}})


class Training(Api):
    """One cluster's training in one round."""

    model: Model = Field(Model(), description="The LLaVA that is fine-tuned.")
    lora: Lora = Field(Lora(), description="The adapters.")
    quantization: Literal["none", "int8", "nf4"] = Field("none", description="How the frozen base model is kept in memory.")
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Passes over the cluster's posts a round; one where neither epochs nor steps are given."
    )
    steps: Annotated[int, Field(ge=1)] | None = Field(None, description="Optimizer steps a round, instead of epochs.")
    batch_size: Annotated[int, Field(ge=1)] = Field(
        4, description="Posts a forward pass; halved by itself where the device's memory does not suffice."
    )
    gradient_accumulation: Annotated[int, Field(ge=1)] = Field(4, description="Forward passes an optimizer step.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(2.0e-4, description="AdamW's peak learning rate.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="How the learning rate falls, over all rounds together."
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.03, description="Share of all steps in which the learning rate rises.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="AdamW's weight decay.")
    max_grad_norm: Annotated[float, Field(gt=0)] = Field(1.0, description="Gradients are scaled down to this L2 norm.")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="Decides the order of posts and what dropout drops.")
    max_length: Annotated[int, Field(ge=16)] = Field(2048, description="Tokens of a post, its images' included.")
    images: Annotated[int, Field(ge=1, le=16)] = Field(
        3, description="Images of one post at most, as far as maxLength lets them."
    )
    holdout: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="Share of a cluster's posts that it never trains on, and measures the adapters with."
    )
    captions: Annotated[int, Field(ge=0, le=100)] = Field(
        8, description="Held-out posts for which captions are written at the end, beside the true ones; they stay on the cluster."
    )

    rules = (
        Rule(
            field="steps",
            message="cannot be given beside epochs: a round has so many steps, or so many epochs",
            cel="!has(self.steps) || !has(self.epochs)",
            holds=lambda it: it.steps is None or it.epochs is None,
        ),
    )


class Profiles(Api):
    """One profile a platform and cluster, fused into a general one."""

    enabled: bool = Field(True, description="Whether profiles are made and shared.")
    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="The text encoder: a name on a model hub, or a path."
    )
    epsilon: Annotated[float, Field(gt=0)] | None = Field(
        8, description="Privacy loss per cleaned record; null means no noise, and the profile says so."
    )
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(1.0e-5, description="Probability that epsilon does not hold.")
    min_posts: Annotated[int, Field(ge=1)] = Field(
        20, description="A platform with fewer posts shares no profile; if none does, the federation fails, its model saved."
    )
    topics: bool = Field(True, description="Whether a profile counts the posts of each of a fixed list of topics.")
    visual: bool = Field(False, description="Whether a profile has the mean of the photos as the frozen vision tower sees them.")


class AdapterPrivacy(Api):
    """Clipping and noise on each adapter before it leaves the cluster."""

    mechanism: Literal["none", "gaussian"] = Field("none", description="none: neither clipped nor noised.")
    clip: Annotated[float, Field(gt=0)] = Field(1.0, description="Largest L2 norm of an update.")
    noise_multiplier: Annotated[float, Field(ge=0)] = Field(0.0, description="Standard deviation of the noise, in units of clip.")
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(1.0e-5, description="Probability that the spent epsilon does not hold.")

    rules = (
        Rule(
            field="noiseMultiplier",
            message="must be 0.000001 or more when mechanism is gaussian, and 0 when it is none",
            cel="self.mechanism == 'gaussian' ? self.noiseMultiplier >= 0.000001 : self.noiseMultiplier == 0.0",
            holds=lambda it: it.noise_multiplier >= 1e-6 if it.mechanism == "gaussian" else it.noise_multiplier == 0,
        ),
    )


class Privacy(Api):
    """What the hub may learn of one cluster's adapter."""

    adapters: AdapterPrivacy = Field(AdapterPrivacy(), description="Clipping and noise before an adapter leaves the cluster.")
    secure_aggregation: bool = Field(False, description="The hub sees only the sum of the adapters.")
