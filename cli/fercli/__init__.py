"""Click plumbing that ferdata and fermodel share: lazy commands, output, common options."""
