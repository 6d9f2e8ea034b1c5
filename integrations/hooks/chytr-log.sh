#!/bin/sh
# Logs an event of an agent: chytr-log.sh EVENT_TYPE, with the event on standard input. Prints nothing and never fails.
# shellcheck source=integrations/hooks/chytr-lib.sh
. "${0%/*}/chytr-lib.sh" || exit 0
chytr_ready || chytr_end
chytr_spool "${1:-}" && chytr_send_later
exit 0
