"""A library in PostgreSQL for each folder of the tests (see `finder`)."""
