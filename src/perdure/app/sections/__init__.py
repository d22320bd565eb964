"""The sections of the settings, a module for each: settings that belong together, each with all that is said of it.

To add a setting, write its line in the section where it belongs: its name, its type with the bounds
outside of which it cannot be meant, its default, and what it means. It is then `PERDURE_<NAME>` in the
environment and a line in the settings file; `python -m tests.support.reference_cli` writes it into the
page of settings. Hand its value to the room that asks for it, in `app/build.py` or `app/features.py`.

To add a section, write a module with a model, and name the model in `Settings` in `app/settings.py`.
No section reads the environment: that is done there.
"""
