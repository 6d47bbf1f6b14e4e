-- The moment from which on this transaction sees nothing new: its first statement, where it is repeatable.
SELECT statement_timestamp()
