#!/bin/sh
# Logs that an agent stops, and prints what is left to do, if its work order has lines that are not done: chytr-stop.sh
# [cursor|claude], with the event on standard input. Waits two seconds for that at most (CHYTR_STOP_WAIT).
# shellcheck source=integrations/hooks/chytr-lib.sh
. "${0%/*}/chytr-lib.sh" || exit 0
chytr_ready || chytr_end
chytr_spool session_end && chytr_ask "${CHYTR_STOP_WAIT:-2}" "${1:-cursor}"
exit 0
