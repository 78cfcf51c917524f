"""The product on one machine: embedded PostgreSQL and Valkey, and a supervisor. Knows nothing of the apps."""
