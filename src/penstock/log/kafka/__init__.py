"""The event log on Apache Kafka: transactions, one message for each row, JSON or Avro (extra `kafka`)."""
