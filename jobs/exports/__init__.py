"""Rows of an organisation for data-export jobs: which there are (sources.py), read in one snapshot (reader.py)."""

from jobs.exports.reader import OrgReader

__all__ = ["OrgReader"]
