"""What ccr adds to aiokafka: data connections, RecordBatch v2 in place, cluster access."""
