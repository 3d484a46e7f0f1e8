"""Is the injected cause named first? A simulated service stack with known faults, through the whole pipeline.

`voices` is how the programs of a stack write, `stack` what happens to requests and tasks while parts of it are broken,
`faults` what can break and what that is called, `verdict` one scenario from text files to incidents and judgement.
Effects are not scripted: they come about because connections, worker processes and queues are limited, and the
truth is what the simulation did. `python -m tests.diagnose` prints the table.
"""
