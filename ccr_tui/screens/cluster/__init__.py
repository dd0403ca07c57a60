"""One cluster: brokers, topics, groups, quotas."""
