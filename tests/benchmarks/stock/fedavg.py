"""Stock Flower: FedAvg, the adapter as one ArrayRecord in each message, in and out."""

from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from benchmarks import payload

client = ClientApp()
server = ServerApp()


@client.train()
def train(message: Message, context: Context) -> Message:
    number = int(str(context.node_config["cluster"]))
    arrays = message.content.array_records["arrays"]
    trained = ArrayRecord({name: Array(payload.train(array.numpy(), number)) for name, array in arrays.items()})
    metrics = MetricRecord({"num-examples": payload.EXAMPLES})
    return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    clusters, rounds, mib = (int(str(context.run_config[name])) for name in ("clusters", "rounds", "mib"))
    folder = Path(str(context.run_config["folder"]))

    def mark(done: int, _: ArrayRecord) -> None:
        if done:
            payload.mark(folder / payload.MARKS, done)

    strategy = FedAvg(fraction_evaluate=0, min_train_nodes=clusters, min_available_nodes=clusters)
    start = ArrayRecord({name: Array(values) for name, values in payload.start(mib).items()})
    result = strategy.start(grid, start, rounds, evaluate_fn=mark)
    payload.keep(folder, {name: array.numpy().astype(np.float16) for name, array in result.arrays.items()})
