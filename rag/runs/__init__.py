"""A config-driven run: questions in, answers, a record and a report out."""
