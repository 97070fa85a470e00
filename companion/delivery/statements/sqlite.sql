-- The statements of the hot path for SQLite, each as it runs. store.py says what goes in and what comes out.
-- A list of rows comes in as one JSON parameter, so that a statement's text and its plan are always the same; many
-- rows of many columns go out as one JSON value. Statements decide nothing about a Message: verdict.py does.
-- A writer holds the whole file (BEGIN IMMEDIATE), so that no row needs a lock of its own. A join is written CROSS JOIN
-- where SQLite has to follow its order: SQLite can't know how few rows the JSON has (sqlite.org, "Manual Control Of
-- Query Plans"). If a name has several statements, they run in their order.

-- lock_bot: the bot's next free slot, until when it is closed, and why
SELECT next_slot_at || 'Z' AS next_slot_at, closed_until || 'Z' AS closed_until, closed_why FROM clinics_bot WHERE id = :bot;

-- take_slots: takes the bot's slots before a given slot
UPDATE clinics_bot SET next_slot_at = :next_slot WHERE id = :bot;

-- next_in_line: the first Messages of a clinic that are ready and not begun, by lane and time
-- Each lane is read along its own part of the index messages_in_line, from its position on.
SELECT id FROM (
    SELECT * FROM (
        SELECT id, lane, ready_at FROM schedules_message
        WHERE clinic_id = :clinic AND lane = 0 AND ready_at <= :now
          AND (ready_at, id) >= (:ready_at_0, :id_0) AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at, id LIMIT :most
    ) AS answers
    UNION ALL
    SELECT * FROM (
        SELECT id, lane, ready_at FROM schedules_message
        WHERE clinic_id = :clinic AND lane = 1 AND ready_at <= :now
          AND (ready_at, id) >= (:ready_at_1, :id_1) AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at, id LIMIT :most
    ) AS reminders
    UNION ALL
    SELECT * FROM (
        SELECT id, lane, ready_at FROM schedules_message
        WHERE clinic_id = :clinic AND lane = 2 AND ready_at <= :now
          AND (ready_at, id) >= (:ready_at_2, :id_2) AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at, id LIMIT :most
    ) AS answers_to_strangers
    UNION ALL
    SELECT * FROM (
        SELECT id, lane, ready_at FROM schedules_message
        WHERE clinic_id = :clinic AND lane = 3 AND ready_at <= :now
          AND (ready_at, id) >= (:ready_at_3, :id_3) AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at, id LIMIT :most
    ) AS broadcasts
) AS lanes
ORDER BY lane, ready_at, id LIMIT :most;

-- begun_by: the Messages that these Attempts have put on the wire
SELECT m.id FROM jsonb_each(:rows) AS r
CROSS JOIN schedules_attempt a ON a.id = r.value->>'$.id'
CROSS JOIN schedules_message m ON m.id = a.message_id AND m.open_attempt_id = a.id AND m.status = 'pending';

-- too_late: the first Messages not begun whose time is over
SELECT id FROM schedules_message
WHERE late_at <= :now AND status = 'pending' AND open_attempt_id IS NULL
ORDER BY late_at LIMIT :most;

-- facts: all that decides about these Messages, and that their texts are made of
-- A Message that follows up another Message belongs to the Schedule of its version. A newer Message supersedes it even
-- after that newer Message was sent. The coalesce makes SQLite look up the patient's few Messages by index.
-- Marks are rare: mostly the first EXISTS is false, and the second is not run.
SELECT json_group_array(json_object(
    'message', m.id, 'schedule', m.schedule_id, 'patient', m.patient_id, 'lane', m.lane, 'due_at', m.due_at || 'Z', 'ready_at', m.ready_at || 'Z',
    'late_at', m.late_at || 'Z', 'quiet_hours', m.quiet_hours, 'if_unknown', m.if_unknown, 'tries', m.tries,
    'resends', m.resends, 'by_hand', m.by_hand, 'answers_stop_or_start', m.answers_stop_or_start,
    'begun_by', m.open_attempt_id, 'follow_kind', m.follow_kind, 'telegram_message_id', m.telegram_message_id,
    'own_text', CASE WHEN m.text IS NOT NULL THEN hex(m.text) END, 'version', m.version_id,
    'buttons', json(m.buttons), 'telegram_id', coalesce(m.telegram_id, p.telegram_id),
    'clinic_name', c.name, 'quiet_from', c.quiet_from, 'quiet_until', c.quiet_until,
    'consent_required', c.consent_required, 'sending_paused', c.sending_paused_at IS NOT NULL,
    'timezone', coalesce(nullif(p.timezone, ''), c.timezone),
    'has_patient', p.id IS NOT NULL, 'patient_name', coalesce(p.name, ''),
    'language', coalesce(nullif(p.language, ''), 'en'), 'caregiver', coalesce(p.caregiver, '') <> '',
    'consent', coalesce(p.consent, ''), 'consent_asked', p.consent_asked_at IS NOT NULL,
    'patient_left', p.left_at IS NOT NULL, 'paused_until', p.paused_until,
    'in_trouble', coalesce(p.trouble, '') <> '',
    'schedule_state', s.state, 'answer_microseconds', s.answer_within,
    'avoid_weekends', coalesce(s.avoid_weekends, 0), 'avoid_holidays', coalesce(s.avoid_holidays, 0),
    'avoid_closed_days', coalesce(s.avoid_closed_days, 0), 'when_avoided', coalesce(s.when_avoided, 'skip'),
    'occurrence', m.occurrence,
    'marked', EXISTS (SELECT 1 FROM clinics_mark) AND EXISTS (
        SELECT 1 FROM clinics_mark k
        WHERE k.clinic_id = m.clinic_id AND k.subject_id IN (s.id, m.patient_id, s.cohort_id, m.clinic_id)
    ),
    'newer_is_due', EXISTS (
        SELECT 1 FROM schedules_message n
        WHERE n.schedule_id = s.id AND n.patient_id = m.patient_id AND n.occurrence > m.occurrence
          AND (n.status = 'pending' OR (n.status = 'sent' AND m.schedule_id IS NULL))
          AND coalesce(n.due_at, n.ready_at) <= :now
    ),
    'chat_last_at', (
        SELECT max(a.began_at) || 'Z' FROM schedules_attempt a
        WHERE a.telegram_id = coalesce(m.telegram_id, p.telegram_id) AND a.clinic_id = m.clinic_id
    ),
    'chat_opted_out', EXISTS (
        SELECT 1 FROM clinics_optout o
        WHERE o.clinic_id = m.clinic_id AND o.telegram_id = coalesce(m.telegram_id, p.telegram_id)
    ) OR CASE WHEN m.telegram_id IS NULL THEN 0 ELSE EXISTS (
        SELECT 1 FROM patients_patient w
        WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id AND w.consent = 'withdrawn'
    ) AND NOT EXISTS (
        SELECT 1 FROM patients_patient w
        WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id AND w.consent <> 'withdrawn'
    ) END,
    'bot_refused', EXISTS (
        SELECT 1 FROM clinics_bot b WHERE b.clinic_id = m.clinic_id AND b.closed_why = 'unauthorized'
    )
))
FROM jsonb_each(:rows) AS r
CROSS JOIN schedules_message m ON m.id = r.value->>'$.id'
CROSS JOIN clinics_clinic c ON c.id = m.clinic_id
LEFT JOIN patients_patient p ON p.id = m.patient_id
LEFT JOIN schedules_version v ON v.id = m.version_id
LEFT JOIN schedules_schedule s ON s.id = coalesce(m.schedule_id, v.schedule_id);

-- next_ready: the instant at which a clinic's first Message that is not begun is ready; one look-up for each lane
SELECT min(ready_at) || 'Z' AS ready_at FROM (
    SELECT (
        SELECT ready_at FROM schedules_message
        WHERE clinic_id = :clinic AND lane = lanes.lane AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at LIMIT 1
    ) AS ready_at
    FROM (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS lanes
) AS firsts;

-- begin: writes Attempts down, takes the bot's slots for them, and puts their Messages on the wire
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, text, telegram_id, outcome, note)
SELECT r.value->>'$.attempt', m.clinic_id, m.id, m.tries + 1, rtrim(replace(r.value->>'$.began_at', 'T', ' '), 'Z'),
       unhex(r.value->>'$.text'), CAST(r.value->>'$.chat' AS INTEGER), '', ''
FROM jsonb_each(:rows) AS r CROSS JOIN schedules_message m ON m.id = r.value->>'$.message';

UPDATE clinics_bot SET next_slot_at = :next_slot WHERE id = :bot;

UPDATE schedules_message SET open_attempt_id = r.value->>'$.attempt', lease_until = :lease_until, tries = tries + 1
FROM jsonb_each(:rows) AS r WHERE schedules_message.id = r.value->>'$.message';

-- begin_later: gives another slot to an Attempt that missed its slot
UPDATE schedules_attempt SET began_at = :slot WHERE id = :attempt AND outcome = '';

-- put_off: makes Messages that may not go yet ready later, and also too late later, if late_at is given
WITH r AS (
    SELECT value->>'$.message' AS message,
           rtrim(replace(value->>'$.ready_at', 'T', ' '), 'Z') AS ready_at,
           rtrim(replace(value->>'$.late_at', 'T', ' '), 'Z') AS late_at
    FROM jsonb_each(:rows)
)
UPDATE schedules_message
SET ready_at = r.ready_at, late_at = coalesce(r.late_at, schedules_message.late_at)
FROM r
WHERE schedules_message.id = r.message AND status = 'pending' AND open_attempt_id IS NULL;

-- record: closes Attempts and ends their Messages, or gives them back; the Attempt's id is the fencing token
-- An Attempt is closed only once, with one exception: an Attempt that counted as unknown may still turn out to be sent.
-- It returns how many Messages changed, and whether a webhook wants to hear of ends, so that mostly tell_ends is not run.
WITH r AS (
    SELECT value->>'$.attempt' AS attempt, rtrim(replace(value->>'$.at', 'T', ' '), 'Z') AS at,
           value->>'$.outcome' AS outcome, CAST(value->>'$.telegram_message_id' AS INTEGER) AS telegram_message_id,
           CAST(value->>'$.error_code' AS INTEGER) AS error_code, value->>'$.note' AS note,
           value->>'$.description' AS description
    FROM jsonb_each(:rows)
)
UPDATE schedules_attempt
SET ended_at = r.at, outcome = r.outcome, telegram_message_id = r.telegram_message_id, error_code = r.error_code,
    note = coalesce(r.note, ''), description = unhex(r.description)
FROM r
WHERE schedules_attempt.id = r.attempt
  AND (schedules_attempt.outcome = '' OR (schedules_attempt.outcome = 'unknown' AND r.outcome = 'sent'));

WITH r AS (
    SELECT value->>'$.message' AS message, value->>'$.attempt' AS attempt,
           rtrim(replace(value->>'$.at', 'T', ' '), 'Z') AS at,
           value->>'$.outcome' AS outcome, value->>'$.status' AS status, value->>'$.reason' AS reason,
           rtrim(replace(value->>'$.ready_at', 'T', ' '), 'Z') AS ready_at,
           CAST(value->>'$.telegram_message_id' AS INTEGER) AS telegram_message_id,
           rtrim(replace(value->>'$.answer_by', 'T', ' '), 'Z') AS answer_by
    FROM jsonb_each(:rows)
)
UPDATE schedules_message
SET status = r.status, reason = coalesce(r.reason, ''),
    telegram_message_id = coalesce(r.telegram_message_id, schedules_message.telegram_message_id),
    sent_at = CASE WHEN r.status = 'sent' THEN r.at END,
    ended_at = CASE WHEN r.status = 'pending' THEN NULL ELSE r.at END,
    ready_at = coalesce(r.ready_at, schedules_message.ready_at),
    resends = schedules_message.resends + CASE WHEN r.outcome = 'unknown' AND r.status = 'pending' THEN 1 ELSE 0 END,
    answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END,
    lease_until = NULL, open_attempt_id = NULL
FROM r
WHERE schedules_message.id = r.message AND schedules_message.open_attempt_id = r.attempt
  AND schedules_message.status = 'pending';

SELECT changes() AS changed,
       EXISTS (SELECT 1 FROM webhooks_wish WHERE kind IN ('message.sent', 'message.failed')) AS heard;

-- late_proof: ends as sent the Messages for which Telegram's answer came after the lease ran out; a waiting retry never begins
WITH r AS (
    SELECT value->>'$.message' AS message, rtrim(replace(value->>'$.at', 'T', ' '), 'Z') AS at,
           value->>'$.outcome' AS outcome, CAST(value->>'$.telegram_message_id' AS INTEGER) AS telegram_message_id,
           rtrim(replace(value->>'$.answer_by', 'T', ' '), 'Z') AS answer_by
    FROM jsonb_each(:rows)
)
UPDATE schedules_message
SET status = 'sent', reason = '', telegram_message_id = r.telegram_message_id, sent_at = r.at, ended_at = r.at,
    answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END
FROM r
WHERE schedules_message.id = r.message AND r.outcome = 'sent' AND schedules_message.open_attempt_id IS NULL
  AND ((schedules_message.status = 'failed' AND schedules_message.reason = 'outcome_unknown')
       OR schedules_message.status = 'pending');

-- end: fails or cancels Messages that will never go
UPDATE schedules_message
SET status = r.value->>'$.status', reason = r.value->>'$.reason', ended_at = :now
FROM jsonb_each(:rows) AS r
WHERE schedules_message.id = r.value->>'$.message' AND schedules_message.status = 'pending'
  AND schedules_message.open_attempt_id IS NULL;

-- tell_ends: notes for the clinics' webhooks which of these Messages were sent or failed at the given instants
-- If no clinic has such a webhook, the EXISTS is false and nothing else is run.
-- The id is computed from the end itself. So a transaction that is repeated, because nobody knows whether its commit
-- succeeded, notes no end twice.
INSERT INTO webhooks_delivery (
    id, clinic_id, webhook_id, kind, subject, patient, code, more, at, since, next_try_at, tries, error
)
SELECT substr(SHA256(w.webhook_id || ' ' || m.id || ' ' || m.status || ' ' || m.ended_at), 1, 32),
       m.clinic_id, w.webhook_id, w.kind, m.id, m.patient_id, m.reason, json_object(),
       m.ended_at, m.ended_at, m.ended_at, 0, ''
FROM jsonb_each(:rows) AS r
CROSS JOIN schedules_message m ON m.id = r.value->>'$.message' AND m.status IN ('sent', 'failed')
    AND m.ended_at = rtrim(replace(r.value->>'$.at', 'T', ' '), 'Z')
CROSS JOIN webhooks_wish w ON w.clinic_id = m.clinic_id AND w.kind = 'message.' || m.status
CROSS JOIN webhooks_webhook h ON h.id = w.webhook_id AND h.closed_at IS NULL
WHERE EXISTS (SELECT 1 FROM webhooks_wish WHERE kind IN ('message.sent', 'message.failed'))
ON CONFLICT (id) DO NOTHING;

-- lapsed: the Attempts whose lease ran out, with what their Schedules say about an unknown outcome
-- No index contains the lease. A begun Message is among the first of its lane; if a thousand others come before it, it
-- is found when it is too late. In SQLite, a subquery in a join can't use the rows before it, so they stand as values.
SELECT json_group_array(json(found)) FROM (
    SELECT DISTINCT one.value AS found
    FROM (
        SELECT (
            SELECT json_group_array(json_object(
                'message', id, 'attempt', open_attempt_id, 'if_unknown', if_unknown, 'resends', resends,
                'late_at', late_at || 'Z', 'follow_kind', follow_kind
            ))
            FROM (
                SELECT id, open_attempt_id, lease_until, if_unknown, resends, late_at, follow_kind FROM schedules_message
                WHERE clinic_id = c.id AND lane = lanes.lane AND status = 'pending' AND ready_at <= :now
                ORDER BY ready_at, id LIMIT 1000
            ) AS head WHERE lease_until < :now AND open_attempt_id IS NOT NULL
        ) AS heads
        FROM clinics_clinic c
        CROSS JOIN (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS lanes
        UNION ALL
        SELECT (
            SELECT json_group_array(json_object(
                'message', id, 'attempt', open_attempt_id, 'if_unknown', if_unknown, 'resends', resends,
                'late_at', late_at || 'Z', 'follow_kind', follow_kind
            ))
            FROM (
                SELECT id, open_attempt_id, lease_until, if_unknown, resends, late_at, follow_kind FROM schedules_message
                WHERE status = 'pending' AND late_at <= :now
                ORDER BY late_at LIMIT 1000
            ) AS late WHERE lease_until < :now AND open_attempt_id IS NOT NULL
        )
    ) AS all_heads, json_each(all_heads.heads) AS one
) AS lapsed;

-- mark_patients: writes down what Telegram said about patients' chats
WITH r AS (
    SELECT value->>'$.message' AS message, value->>'$.trouble' AS trouble,
           rtrim(replace(value->>'$.at', 'T', ' '), 'Z') AS at
    FROM jsonb_each(:rows)
)
UPDATE patients_patient SET trouble = r.trouble, trouble_at = r.at
FROM r CROSS JOIN schedules_message m ON m.id = r.message
WHERE patients_patient.id = m.patient_id AND patients_patient.trouble <> r.trouble
  AND patients_patient.telegram_id = coalesce(m.telegram_id, patients_patient.telegram_id);

-- plan: makes the Messages of a Schedule that don't exist yet; the constraint one_message_per_occurrence prevents a second
INSERT INTO schedules_message (
    id, clinic_id, schedule_id, version_id, patient_id, occurrence, lane, status, reason, due_at, ready_at, late_at,
    quiet_hours, if_unknown, by_hand, answers_stop_or_start, created_by_kind, created_by_name, created_at,
    tries, resends
)
SELECT r.id, s.clinic_id, s.id, :version, r.patient, r.occurrence, s.lane, 'pending', '',
       r.due_at, r.due_at, r.late_at, s.quiet_hours, s.if_unknown, false, false, '', '', :now, 0, 0
FROM (
    SELECT value->>'$.id' AS id, value->>'$.patient' AS patient, value->>'$.occurrence' AS occurrence,
           rtrim(replace(value->>'$.due_at', 'T', ' '), 'Z') AS due_at,
           rtrim(replace(value->>'$.late_at', 'T', ' '), 'Z') AS late_at
    FROM jsonb_each(:rows)
) AS r CROSS JOIN schedules_schedule s ON s.id = :schedule
WHERE true
ON CONFLICT DO NOTHING;

-- shift: gives new instants to planned Messages whose times no person has chosen, and their Schedule's present version
-- A Message that a person has edited keeps the version from which it was edited.
WITH r AS (
    SELECT value->>'$.id' AS id, rtrim(replace(value->>'$.due_at', 'T', ' '), 'Z') AS due_at,
           rtrim(replace(value->>'$.late_at', 'T', ' '), 'Z') AS late_at
    FROM jsonb_each(:rows)
)
UPDATE schedules_message
SET due_at = r.due_at, ready_at = r.due_at, late_at = r.late_at, lane = s.lane, quiet_hours = s.quiet_hours,
    if_unknown = s.if_unknown, version_id = CASE WHEN by_hand THEN version_id ELSE :version END
FROM r CROSS JOIN schedules_schedule s ON s.id = :schedule
WHERE schedules_message.id = r.id AND schedules_message.status = 'pending' AND schedules_message.tries = 0
  AND schedules_message.open_attempt_id IS NULL AND NOT schedules_message.time_by_hand;

-- rename: gives a Schedule's Messages the names that their Occurrences have in another Schedule, or in the same Schedule
-- If two Messages of a patient would get the same name, the later keeps its old name, since each name is unique.
WITH r AS (SELECT value->>'$.old' AS old, value->>'$.new' AS new FROM jsonb_each(:rows))
UPDATE schedules_message
SET schedule_id = :new, occurrence = (SELECT r.new FROM r WHERE r.old = schedules_message.occurrence)
WHERE schedule_id = :old AND occurrence IN (SELECT r.old FROM r) AND NOT EXISTS (
    SELECT 1 FROM schedules_message taken
    WHERE taken.schedule_id = :new AND taken.patient_id = schedules_message.patient_id
      AND taken.occurrence = (SELECT r.new FROM r WHERE r.old = schedules_message.occurrence)
);

-- pending_instants: for each Schedule, the first instant after a given instant at which a Message is pending
-- A Schedule may have 100,000 Messages at one instant: the index messages_of_a_schedule leads straight to the next.
SELECT r.value->>'$.schedule' AS schedule, (
    SELECT m.due_at || 'Z' FROM schedules_message m
    WHERE m.schedule_id = r.value->>'$.schedule' AND m.status = 'pending'
      AND m.due_at > rtrim(replace(r.value->>'$.due_at', 'T', ' '), 'Z')
    ORDER BY m.due_at LIMIT 1
) AS due_at FROM jsonb_each(:rows) AS r;

-- made: the given Schedules, patients and Occurrences that have a Message, by the constraint's index
SELECT m.schedule_id AS schedule, m.patient_id AS patient, m.occurrence FROM jsonb_each(:rows) AS r
CROSS JOIN schedules_message m ON m.schedule_id = r.value->>'$.schedule' AND m.patient_id = r.value->>'$.patient'
    AND m.occurrence = r.value->>'$.occurrence';
