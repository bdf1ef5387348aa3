"""A Python inside a house, for tests that ask it again and again: starting one takes seconds.

Each line that comes in is an expression as JSON; the line that goes out holds its value as text, or
what was wrong with it. All models are at hand.
"""

import json
import sys

import django


def main() -> None:
    """Answer until there is nothing more to read."""
    django.setup()
    from django.apps import apps
    from django.db import close_old_connections

    models = {model.__name__: model for model in apps.get_models()}
    for line in sys.stdin:
        close_old_connections()
        try:
            answer = {"value": str(eval(json.loads(line), dict(models)))}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
