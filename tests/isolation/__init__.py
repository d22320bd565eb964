"""The matrix of isolation: every route, asked by those whom a thing is none of; and mutants of every check.

What is asked lies in `perdure.app.selftest`, so that `perdure selftest isolation` asks the same of a
gateway that is at work. When a test here says that something is missing, this is where it goes:

- a new route: one `Row` in `app/selftest/rows.py`, with the body that it takes, `admin=True` where it
  is for admins alone, `needs` for ids that it cannot do without, `new` for ids of what it makes;
- a new name of a field: one entry of `FIELDS` in `app/selftest/kinds.py`, of which kind the thing is
  that it names, or that it names none;
- a new kind of thing: its name in `app/selftest/kinds.py`, and one maker in `app/selftest/things.py`;
- a new check of whose a thing is: one `Mutant` in `tests/isolation/mutants.py` that leaves it out.
"""
