"""Stock Flower: FedAvg, the adapter as one ArrayRecord in each message, in and out."""

from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from benchmarks import payload
from support import adapters

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
    clusters, rounds = int(str(context.run_config["clusters"])), int(str(context.run_config["rounds"]))
    marks = Path(str(context.run_config["marks"]))

    def mark(done: int, _: ArrayRecord) -> None:
        if done:
            with marks.open("a") as file:
                file.write(f"{done}\n")

    strategy = FedAvg(fraction_evaluate=0, min_train_nodes=clusters, min_available_nodes=clusters)
    start = ArrayRecord({name: Array(values) for name, values in payload.start().items()})
    result = strategy.start(grid, start, rounds, evaluate_fn=mark)
    path = Path(str(context.run_config["result"]))
    partial = path.with_name("partial")
    adapters.save({name: array.numpy().astype(np.float16) for name, array in result.arrays.items()}, partial)
    partial.rename(path)
