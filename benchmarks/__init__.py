"""Measurements that docs/ and RESULTS.md quote; one command each, never run by the tests."""
