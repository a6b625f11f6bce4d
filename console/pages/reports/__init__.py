"""The pages of reports: their question, its answer with a chart, and files of it."""
