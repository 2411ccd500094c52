"""The durable event log: one small protocol, an embedded log on SQLite, and Kafka."""
