"""Examine a storage folder: `verify(folder, keys) -> Report` (docs/spec/storage.md, "Verify")."""

from secure_msg.store.verify.examine import verify
from secure_msg.store.verify.report import Counts, Finding, Grade, Remedy, Report

__all__ = ["Counts", "Finding", "Grade", "Remedy", "Report", "verify"]
