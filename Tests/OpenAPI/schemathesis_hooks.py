"""What schemathesis has to be told of this interface: see description_test.py."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """The values one a line, as a publish takes them."""
    values = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@schemathesis.serializer("application/merge-patch+json")
def merge_patch(ctx, value):
    return json.dumps(value).encode()


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """A stream has no end, and a page that waits takes as long as it is told."""
    for name in ("follow", "wait"):
        if isinstance(case.query, dict):
            case.query.pop(name, None)
