-- The statements of the hot path for PostgreSQL, each as it runs. store.py says what goes in and what comes out.
-- A list of rows comes in as one JSON parameter, so that a statement's text and its plan are always the same; many
-- rows of many columns go out as one JSON value. Statements decide nothing about a Message: verdict.py does.

-- lock_bot: the bot's next free slot, until when it is closed, and why
SELECT next_slot_at, closed_until, closed_why FROM clinics_bot WHERE id = %(bot)s FOR UPDATE;

-- take_slots: takes the bot's slots before a given slot
UPDATE clinics_bot SET next_slot_at = %(next_slot)s WHERE id = %(bot)s;

-- next_in_line: the first Messages of a clinic that are ready and not begun, by lane and time
-- Each lane is read along its own part of the index messages_in_line, from its position on. Rows that others have locked,
-- such as a person who edits the Message, are left out.
WITH line AS MATERIALIZED (
    SELECT id FROM (
        SELECT * FROM (
            SELECT id, lane, ready_at FROM schedules_message
            WHERE clinic_id = %(clinic)s AND lane = 0 AND ready_at <= %(now)s
              AND (ready_at, id) >= (%(ready_at_0)s, %(id_0)s) AND status = 'pending' AND open_attempt_id IS NULL
            ORDER BY ready_at, id LIMIT %(most)s
        ) AS answers
        UNION ALL
        SELECT * FROM (
            SELECT id, lane, ready_at FROM schedules_message
            WHERE clinic_id = %(clinic)s AND lane = 1 AND ready_at <= %(now)s
              AND (ready_at, id) >= (%(ready_at_1)s, %(id_1)s) AND status = 'pending' AND open_attempt_id IS NULL
            ORDER BY ready_at, id LIMIT %(most)s
        ) AS reminders
        UNION ALL
        SELECT * FROM (
            SELECT id, lane, ready_at FROM schedules_message
            WHERE clinic_id = %(clinic)s AND lane = 2 AND ready_at <= %(now)s
              AND (ready_at, id) >= (%(ready_at_2)s, %(id_2)s) AND status = 'pending' AND open_attempt_id IS NULL
            ORDER BY ready_at, id LIMIT %(most)s
        ) AS answers_to_strangers
        UNION ALL
        SELECT * FROM (
            SELECT id, lane, ready_at FROM schedules_message
            WHERE clinic_id = %(clinic)s AND lane = 3 AND ready_at <= %(now)s
              AND (ready_at, id) >= (%(ready_at_3)s, %(id_3)s) AND status = 'pending' AND open_attempt_id IS NULL
            ORDER BY ready_at, id LIMIT %(most)s
        ) AS broadcasts
    ) AS lanes
    ORDER BY lane, ready_at, id LIMIT %(most)s
)
SELECT m.id FROM line
JOIN schedules_message m ON m.id = line.id AND m.status = 'pending' AND m.open_attempt_id IS NULL
FOR UPDATE OF m SKIP LOCKED;

-- begun_by: the Messages that these Attempts have put on the wire
SELECT m.id FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid)
JOIN schedules_attempt a ON a.id = r.id
JOIN schedules_message m ON m.id = a.message_id AND m.open_attempt_id = a.id AND m.status = 'pending'
FOR UPDATE OF m;

-- too_late: the first Messages not begun whose time is over
SELECT id FROM schedules_message
WHERE late_at <= %(now)s AND status = 'pending' AND open_attempt_id IS NULL
ORDER BY late_at LIMIT %(most)s
FOR UPDATE SKIP LOCKED;

-- facts: all that decides about these Messages, and that their texts are made of
-- A Message that follows up another Message belongs to the Schedule of its version. A newer Message supersedes it even
-- after that newer Message was sent. The coalesce makes the query planner look up the patient's few Messages by index.
-- Marks are rare: mostly the first EXISTS is false, and the second is not run.
SELECT coalesce(json_agg(facts), '[]')::text FROM (
    SELECT
        m.id AS message, m.schedule_id AS schedule, m.patient_id AS patient, m.lane, m.due_at, m.ready_at, m.late_at, m.quiet_hours, m.if_unknown, m.tries, m.resends,
        m.by_hand, m.answers_stop_or_start, m.open_attempt_id AS begun_by, m.follow_kind, m.telegram_message_id,
        encode(m.text, 'hex') AS own_text, m.version_id AS version, m.buttons,
        coalesce(m.telegram_id, p.telegram_id) AS telegram_id,
        c.name AS clinic_name, c.quiet_from, c.quiet_until, c.consent_required,
        c.sending_paused_at IS NOT NULL AS sending_paused,
        coalesce(nullif(p.timezone, ''), c.timezone) AS timezone,
        p.id IS NOT NULL AS has_patient, coalesce(p.name, '') AS patient_name,
        coalesce(nullif(p.language, ''), 'en') AS language, coalesce(p.caregiver, '') <> '' AS caregiver,
        coalesce(p.consent, '') AS consent, p.consent_asked_at IS NOT NULL AS consent_asked,
        p.left_at IS NOT NULL AS patient_left, p.paused_until, coalesce(p.trouble, '') <> '' AS in_trouble,
        s.state AS schedule_state, (extract(epoch FROM s.answer_within) * 1000000)::bigint AS answer_microseconds,
        coalesce(s.avoid_weekends, false) AS avoid_weekends, coalesce(s.avoid_holidays, false) AS avoid_holidays,
        coalesce(s.avoid_closed_days, false) AS avoid_closed_days, coalesce(s.when_avoided, 'skip') AS when_avoided,
        m.occurrence,
        EXISTS (SELECT 1 FROM clinics_mark) AND EXISTS (
            SELECT 1 FROM clinics_mark k
            WHERE k.clinic_id = m.clinic_id AND k.subject_id IN (s.id, m.patient_id, s.cohort_id, m.clinic_id)
        ) AS marked,
        EXISTS (
            SELECT 1 FROM schedules_message n
            WHERE n.schedule_id = s.id AND n.patient_id = m.patient_id AND n.occurrence > m.occurrence
              AND (n.status = 'pending' OR (n.status = 'sent' AND m.schedule_id IS NULL))
              AND coalesce(n.due_at, n.ready_at) <= %(now)s
        ) AS newer_is_due,
        (
            SELECT max(a.began_at) FROM schedules_attempt a
            WHERE a.telegram_id = coalesce(m.telegram_id, p.telegram_id) AND a.clinic_id = m.clinic_id
        ) AS chat_last_at,
        EXISTS (
            SELECT 1 FROM clinics_optout o
            WHERE o.clinic_id = m.clinic_id AND o.telegram_id = coalesce(m.telegram_id, p.telegram_id)
        ) OR CASE WHEN m.telegram_id IS NULL THEN false ELSE EXISTS (
            SELECT 1 FROM patients_patient w
            WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id AND w.consent = 'withdrawn'
        ) AND NOT EXISTS (
            SELECT 1 FROM patients_patient w
            WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id AND w.consent <> 'withdrawn'
        ) END AS chat_opted_out,
        EXISTS (
            SELECT 1 FROM clinics_bot b WHERE b.clinic_id = m.clinic_id AND b.closed_why = 'unauthorized'
        ) AS bot_refused
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid)
    JOIN schedules_message m ON m.id = r.id
    JOIN clinics_clinic c ON c.id = m.clinic_id
    LEFT JOIN patients_patient p ON p.id = m.patient_id
    LEFT JOIN schedules_version v ON v.id = m.version_id
    LEFT JOIN schedules_schedule s ON s.id = coalesce(m.schedule_id, v.schedule_id)
) AS facts;

-- next_ready: the instant at which a clinic's first Message that is not begun is ready; one look-up for each lane
SELECT min(ready_at) AS ready_at FROM (
    SELECT (
        SELECT ready_at FROM schedules_message
        WHERE clinic_id = %(clinic)s AND lane = lanes.lane AND status = 'pending' AND open_attempt_id IS NULL
        ORDER BY ready_at LIMIT 1
    ) AS ready_at
    FROM (VALUES (0), (1), (2), (3)) AS lanes(lane)
) AS firsts;

-- begin: writes Attempts down, takes the bot's slots for them, and puts their Messages on the wire
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS r(message uuid, attempt uuid, began_at timestamptz, text text, chat bigint)
), attempts AS (
    INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, text, telegram_id, outcome, note)
    SELECT r.attempt, m.clinic_id, m.id, m.tries + 1, r.began_at, decode(r.text, 'hex'), r.chat, '', ''
    FROM r JOIN schedules_message m ON m.id = r.message
), slots AS (
    UPDATE clinics_bot SET next_slot_at = %(next_slot)s WHERE id = %(bot)s
)
UPDATE schedules_message SET open_attempt_id = r.attempt, lease_until = %(lease_until)s, tries = tries + 1
FROM r WHERE schedules_message.id = r.message;

-- begin_later: gives another slot to an Attempt that missed its slot
UPDATE schedules_attempt SET began_at = %(slot)s WHERE id = %(attempt)s AND outcome = '';

-- put_off: makes Messages that may not go yet ready later, and also too late later, if late_at is given
UPDATE schedules_message
SET ready_at = r.ready_at, late_at = coalesce(r.late_at, schedules_message.late_at)
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(message uuid, ready_at timestamptz, late_at timestamptz)
WHERE schedules_message.id = r.message AND status = 'pending' AND open_attempt_id IS NULL;

-- record: closes Attempts and ends their Messages, or gives them back; the Attempt's id is the fencing token
-- An Attempt is closed only once, with one exception: an Attempt that counted as unknown may still turn out to be sent.
-- It returns how many Messages changed, and whether a webhook wants to hear of ends, so that mostly tell_ends is not run.
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        message uuid, attempt uuid, at timestamptz, outcome text, status text, reason text, ready_at timestamptz,
        telegram_message_id bigint, error_code bigint, note text, description text, answer_by timestamptz
    )
), attempts AS (
    UPDATE schedules_attempt
    SET ended_at = r.at, outcome = r.outcome, telegram_message_id = r.telegram_message_id, error_code = r.error_code,
        note = coalesce(r.note, ''), description = decode(r.description, 'hex')
    FROM r
    WHERE schedules_attempt.id = r.attempt
      AND (schedules_attempt.outcome = '' OR (schedules_attempt.outcome = 'unknown' AND r.outcome = 'sent'))
), messages AS (
    UPDATE schedules_message
    SET status = r.status, reason = coalesce(r.reason, ''),
        telegram_message_id = coalesce(r.telegram_message_id, schedules_message.telegram_message_id),
        sent_at = CASE WHEN r.status = 'sent' THEN r.at END,
        ended_at = CASE WHEN r.status = 'pending' THEN NULL ELSE r.at END,
        ready_at = coalesce(r.ready_at, schedules_message.ready_at),
        resends = schedules_message.resends
            + CASE WHEN r.outcome = 'unknown' AND r.status = 'pending' THEN 1 ELSE 0 END,
        answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END,
        lease_until = NULL, open_attempt_id = NULL
    FROM r
    WHERE schedules_message.id = r.message AND schedules_message.open_attempt_id = r.attempt
      AND schedules_message.status = 'pending'
    RETURNING schedules_message.id
)
SELECT (SELECT count(*) FROM messages) AS changed,
       EXISTS (SELECT 1 FROM webhooks_wish WHERE kind IN ('message.sent', 'message.failed')) AS heard;

-- late_proof: ends as sent the Messages for which Telegram's answer came after the lease ran out; a waiting retry never begins
UPDATE schedules_message
SET status = 'sent', reason = '', telegram_message_id = r.telegram_message_id, sent_at = r.at, ended_at = r.at,
    answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS r(message uuid, at timestamptz, outcome text, telegram_message_id bigint, answer_by timestamptz)
WHERE schedules_message.id = r.message AND r.outcome = 'sent' AND schedules_message.open_attempt_id IS NULL
  AND ((schedules_message.status = 'failed' AND schedules_message.reason = 'outcome_unknown')
       OR schedules_message.status = 'pending');

-- end: fails or cancels Messages that will never go
UPDATE schedules_message
SET status = r.status, reason = r.reason, ended_at = %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(message uuid, reason text, status text)
WHERE schedules_message.id = r.message AND schedules_message.status = 'pending'
  AND schedules_message.open_attempt_id IS NULL;

-- tell_ends: notes for the clinics' webhooks which of these Messages were sent or failed at the given instants
-- If no clinic has such a webhook, the EXISTS is false and nothing else is run.
-- The id is computed from the end itself. So a transaction that is repeated, because nobody knows whether its commit
-- succeeded, notes no end twice.
INSERT INTO webhooks_delivery (
    id, clinic_id, webhook_id, kind, subject, patient, code, more, at, since, next_try_at, tries, error
)
SELECT encode(substr(sha256(convert_to(
           concat_ws(' ', w.webhook_id, m.id, m.status, extract(epoch FROM m.ended_at)), 'UTF8'
       )), 1, 16), 'hex')::uuid,
       m.clinic_id, w.webhook_id, w.kind, m.id, m.patient_id, m.reason, jsonb_build_object(),
       m.ended_at, m.ended_at, m.ended_at, 0, ''
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(message uuid, at timestamptz)
JOIN schedules_message m ON m.id = r.message AND m.ended_at = r.at AND m.status IN ('sent', 'failed')
JOIN webhooks_wish w ON w.clinic_id = m.clinic_id AND w.kind = 'message.' || m.status
JOIN webhooks_webhook h ON h.id = w.webhook_id AND h.closed_at IS NULL
WHERE EXISTS (SELECT 1 FROM webhooks_wish WHERE kind IN ('message.sent', 'message.failed'))
ON CONFLICT (id) DO NOTHING;

-- lapsed: the Attempts whose lease ran out, with what their Schedules say about an unknown outcome
-- No index contains the lease. A begun Message is among the first of its lane; if a thousand others come before it, it
-- is found when it is too late.
SELECT coalesce(json_agg(DISTINCT jsonb_build_object(
    'message', id, 'attempt', open_attempt_id, 'if_unknown', if_unknown, 'resends', resends,
    'late_at', late_at, 'follow_kind', follow_kind
)), '[]')::text
FROM (
    SELECT head.* FROM clinics_clinic c CROSS JOIN (VALUES (0), (1), (2), (3)) AS lanes(lane) CROSS JOIN LATERAL (
        SELECT id, open_attempt_id, lease_until, if_unknown, resends, late_at, follow_kind FROM schedules_message
        WHERE clinic_id = c.id AND lane = lanes.lane AND status = 'pending' AND ready_at <= %(now)s
        ORDER BY ready_at, id LIMIT 1000
    ) AS head
    UNION ALL
    SELECT late.* FROM (
        SELECT id, open_attempt_id, lease_until, if_unknown, resends, late_at, follow_kind FROM schedules_message
        WHERE status = 'pending' AND late_at <= %(now)s
        ORDER BY late_at LIMIT 1000
    ) AS late
) AS heads
WHERE lease_until < %(now)s AND open_attempt_id IS NOT NULL;

-- mark_patients: writes down what Telegram said about patients' chats
UPDATE patients_patient SET trouble = r.trouble, trouble_at = r.at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(message uuid, trouble text, at timestamptz)
JOIN schedules_message m ON m.id = r.message
WHERE patients_patient.id = m.patient_id AND patients_patient.trouble <> r.trouble
  AND patients_patient.telegram_id = coalesce(m.telegram_id, patients_patient.telegram_id);

-- plan: makes the Messages of a Schedule that don't exist yet; the constraint one_message_per_occurrence prevents a second
INSERT INTO schedules_message (
    id, clinic_id, schedule_id, version_id, patient_id, occurrence, lane, status, reason, due_at, ready_at, late_at,
    quiet_hours, if_unknown, by_hand, answers_stop_or_start, created_by_kind, created_by_name, created_at,
    tries, resends
)
SELECT r.id, s.clinic_id, s.id, %(version)s::uuid, r.patient, r.occurrence, s.lane, 'pending', '',
       r.due_at, r.due_at, r.late_at, s.quiet_hours, s.if_unknown, false, false, '', '', %(now)s::timestamptz, 0, 0
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS r(id uuid, patient uuid, occurrence text, due_at timestamptz, late_at timestamptz)
JOIN schedules_schedule s ON s.id = %(schedule)s
ON CONFLICT DO NOTHING;

-- shift: gives new instants to planned Messages whose times no person has chosen, and their Schedule's present version
-- A Message that a person has edited keeps the version from which it was edited.
UPDATE schedules_message
SET due_at = r.due_at, ready_at = r.due_at, late_at = r.late_at, lane = s.lane, quiet_hours = s.quiet_hours,
    if_unknown = s.if_unknown, version_id = CASE WHEN by_hand THEN version_id ELSE %(version)s::uuid END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, due_at timestamptz, late_at timestamptz)
JOIN schedules_schedule s ON s.id = %(schedule)s
WHERE schedules_message.id = r.id AND schedules_message.status = 'pending' AND schedules_message.tries = 0
  AND schedules_message.open_attempt_id IS NULL AND NOT schedules_message.time_by_hand;

-- rename: gives a Schedule's Messages the names that their Occurrences have in another Schedule, or in the same Schedule
-- If two Messages of a patient would get the same name, the later keeps its old name, since each name is unique.
WITH r AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(old text, new text))
UPDATE schedules_message
SET schedule_id = %(new)s::uuid, occurrence = (SELECT r.new FROM r WHERE r.old = schedules_message.occurrence)
WHERE schedule_id = %(old)s::uuid AND occurrence IN (SELECT r.old FROM r) AND NOT EXISTS (
    SELECT 1 FROM schedules_message taken
    WHERE taken.schedule_id = %(new)s::uuid AND taken.patient_id = schedules_message.patient_id
      AND taken.occurrence = (SELECT r.new FROM r WHERE r.old = schedules_message.occurrence)
);

-- pending_instants: for each Schedule, the first instant after a given instant at which a Message is pending
-- A Schedule may have 100,000 Messages at one instant: the index messages_of_a_schedule leads straight to the next.
SELECT r.schedule, (
    SELECT m.due_at FROM schedules_message m
    WHERE m.schedule_id = r.schedule AND m.status = 'pending' AND m.due_at > r.due_at
    ORDER BY m.due_at LIMIT 1
) AS due_at FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(schedule uuid, due_at timestamptz);

-- made: the given Schedules, patients and Occurrences that have a Message, by the constraint's index
SELECT m.schedule_id AS schedule, m.patient_id AS patient, m.occurrence
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(schedule uuid, patient uuid, occurrence text)
CROSS JOIN LATERAL (
    SELECT schedule_id, patient_id, occurrence FROM schedules_message
    WHERE schedule_id = r.schedule AND patient_id = r.patient AND occurrence = r.occurrence
    LIMIT 1
) AS m;
