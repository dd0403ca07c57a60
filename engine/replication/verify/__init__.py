"""Verification: is the mirror, record by record, what the source has?"""
