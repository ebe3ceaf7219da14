"""Kedro's hooks of the project, each for one small thing."""
