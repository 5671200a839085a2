#!/usr/bin/env python
"""Run a Django command; without any of its settings in the environment, those of a running demo are taken."""

import os
import sys

from django.core.management import execute_from_command_line

from deploy.local.runner.environment import use_demo_environment


def main() -> None:
    use_demo_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dropsite.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
