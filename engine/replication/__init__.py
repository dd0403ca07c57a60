"""The data path and its bookkeeping, in the order a byte takes:

fetcher → pump (merge) → partition → sender → partition → offset_map → state_log; flow runs it all.
"""
