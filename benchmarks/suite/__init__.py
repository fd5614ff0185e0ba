"""What `benchmarks/run.py` measures, and how.

Read in this order:

- `row.py`: what a row is, and what is asked of it.
- `steps.py`, `layers.py`, `updates.py`, `engine.py`, `start.py`, `growth.py`, `limits.py`: the rows, a family each.
- `libraries.py`, `numbers.py`: the libraries under one set of names, and inputs that are the same in all of them.
- `worker.py`, `workers.py`: the process that a library lives in, and how it is talked to.
- `measure.py`: who takes a turn when.
- `report.py`, `picture.py`, `machine.py`: the table, the file, the picture, and what a reader must know besides.
"""
