"""A client as NVFlare's documentation has it: its Client API, in the process of the job."""

import nvflare.client as flare

from benchmarks import payload

flare.init()
number = int(flare.get_site_name().removeprefix("site-"))
while flare.is_running():
    model = flare.receive()
    trained = {name: payload.train(values, number) for name, values in model.params.items()}
    flare.send(flare.FLModel(params=trained, meta={"NUM_STEPS_CURRENT_ROUND": payload.EXAMPLES}))
