#!/bin/sh
# Logs that an agent stops, and prints what is left to do, if its work order has lines that are not done: chytr-stop.sh
# [cursor|claude], with the event on standard input. Waits for a moment at most (CHYTR_STOP_WAIT).
# shellcheck source=integrations/hooks/chytr-lib.sh
. "${0%/*}/chytr-lib.sh" || exit 0
chytr_ready || chytr_end
chytr_spool session_end && chytr_stop "${1:-cursor}"
exit 0
