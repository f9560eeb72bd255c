"""What a terminal shows: plans, progress, tables, lists, checks and schemas."""
