-- Whether a subscriber (subscriber) is told of a rule's (judged) alerts: named by it, or else told of such events (news).
subscriber.org_id = judged.org_id AND subscriber.active
AND CASE WHEN judged.subscribers IS NULL THEN news.event = ANY (subscriber.events)
         ELSE subscriber.id = ANY (judged.subscribers) END
