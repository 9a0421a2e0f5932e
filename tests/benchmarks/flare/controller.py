"""NVFlare's own FedAvg, which begins with the benchmark's adapter and keeps the last one as the benchmark wants it."""

from pathlib import Path

from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.workflows.fedavg import FedAvg

from benchmarks import payload


class BenchFedAvg(FedAvg):  # type: ignore[misc]  # NVFlare is in another environment
    """FedAvg with another beginning and end; what is between is untouched."""

    def __init__(self, folder: str, mib: int, num_clients: int, num_rounds: int) -> None:
        super().__init__(num_clients=num_clients, num_rounds=num_rounds, persistor_id="")
        self.folder = folder
        self.mib = mib

    def load_model(self) -> FLModel:
        return FLModel(params=payload.start(self.mib))

    def save_model(self, model: FLModel) -> None:
        done = self.current_round + 1
        payload.mark(Path(self.folder, payload.MARKS), done)
        if done == self.num_rounds:
            payload.keep(Path(self.folder), model.params)
