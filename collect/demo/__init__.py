"""Traffic that looks like that of real partners, for demos, screenshots and tests: `manage.py seed_demo`."""
