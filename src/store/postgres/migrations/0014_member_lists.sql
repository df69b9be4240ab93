-- The members of a conversation by name, for lists.
CREATE INDEX member_by_conversation ON member (conversation, "user");
