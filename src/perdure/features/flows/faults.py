"""What can go wrong inside a flow while it is asked for its next move, each with its own end."""


class NodeFault(ValueError):
    """A function-like node could not do its work: the flow ends with `success: false` and says why."""


class PlanFault(ValueError):
    """A node cannot ask for what it is drawn to ask for: the run fails with `bad_input`."""


class BoundReached(ValueError):
    """A value, a loop or a nesting outgrew its bound: the run fails with `limit_reached`."""


# What the code of a function-like node may raise for the values that it was given. Anything else
# is a bug of ours, and is not taken for a fault of the flow.
VALUE_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError)
