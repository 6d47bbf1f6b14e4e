-- Whether an organisation (org) is suspended or closing: nothing of it begins. As org_halted_idx has it.
(org.suspended_at IS NOT NULL OR org.erase_at IS NOT NULL)
