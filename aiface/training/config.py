"""Every choice of a training run, in one place, saved beside its results."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiface.errors import DataError

AND = " + "  # between bundles in `TrainConfig.init`


@dataclass(frozen=True)
class Phase:
    """Some epochs at one learning rate (its peak: cosine decay after a warm-up) and one window size in pixels."""

    epochs: int
    learning_rate: float
    size: int
    whole_network: bool = True


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training run; saved in its folder.

    init: "imagenet", "from-scratch", a file of backbone weights as `file.h5#sha256=...`, or a bundle's folder to go on
    from; of several, joined by " + ", the mean of their weights (Wortsman et al. 2022, "Model soups"). No epochs: what
    `init` names is what comes out.
    average: momentum of the running average of the weights, taken after every epoch; it is what is validated and kept.
    patience: epochs without a better validation AUC after which training ends.
    teacher: a detector's folder, or none: the network learns to see and to judge as it does too; its batch
    normalisations learn then, as they do from scratch (`aiface.training.losses`).
    workers, processes: threads that make the batches, or so many processes instead, where there are many cores.
    degrade, balance, shares, self_blended, cutmix, by_set, twins, even, muted: see `aiface.data.batches.Batches`.
    learns_from: the first layer that learns; those before it stay as they are. None given: all learn.
    keep_last: the last epoch's average comes out, not the one that validated best: for a validation split that says
    nothing about what is unseen.
    smoothing: of the labels; 0.1 makes them 0.05 and 0.95.
    """

    backbone: str = "mobilenet_v2"
    init: str = "imagenet"
    phases: tuple[Phase, ...] = (Phase(1, 1e-3, 160, False), Phase(30, 3e-4, 160), Phase(5, 1e-4, 256))
    batch_size: int = 32
    steps_per_epoch: int = 250
    weight_decay: float = 1e-4
    dropout: float = 0.2
    average: float = 0.7
    patience: int = 10
    degrade: bool = True
    balance: bool = True
    shares: Mapping[str, float] = field(default_factory=dict)
    self_blended: float = 0.0
    cutmix: float = 0.0
    by_set: bool = False
    twins: Mapping[str, float] = field(default_factory=dict)
    even: float = 0.5
    muted: float = 0.0
    learns_from: str = ""
    keep_last: bool = False
    smoothing: float = 0.0
    teacher: str = ""
    policy: str = "float32"
    workers: int = 2
    processes: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 2 or self.batch_size % 2:
            raise DataError(f"expected an even batch_size, for pairs of real and AI; found {self.batch_size}")
        if not 0 <= self.self_blended <= (1 if self.balance else 0):
            raise DataError(f"expected self_blended from 0 to 1, and 0 without balance; found {self.self_blended}")
        if not 0 <= self.cutmix <= 1:
            raise DataError(f"expected cutmix from 0 to 1, found {self.cutmix}")

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def phase_at(self, epoch: int) -> tuple[Phase, int]:
        """The phase that an epoch belongs to, and that phase's first epoch."""
        start = 0
        for phase in self.phases:
            if epoch < start + phase.epochs:
                return phase, start
            start += phase.epochs
        raise IndexError(epoch)
