-- The tables of the chat history, as Chainlit 2.12's own PostgreSQL layer reads and writes them.
-- It deletes a thread by its row alone, so everything beneath a thread goes with it.

CREATE TABLE IF NOT EXISTS "User" (
    id          text PRIMARY KEY,
    identifier  text NOT NULL UNIQUE,
    metadata    jsonb NOT NULL DEFAULT '{}',
    "createdAt" timestamp NOT NULL DEFAULT now(),
    "updatedAt" timestamp NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS "Thread" (
    id          text PRIMARY KEY,
    name        text,
    "userId"    text REFERENCES "User" (id) ON DELETE CASCADE,
    tags        text[] NOT NULL DEFAULT '{}',
    metadata    jsonb NOT NULL DEFAULT '{}',
    "createdAt" timestamp NOT NULL DEFAULT now(),
    "updatedAt" timestamp NOT NULL DEFAULT now(),
    "deletedAt" timestamp
);
CREATE INDEX IF NOT EXISTS thread_of_user ON "Thread" ("userId", "updatedAt" DESC);

CREATE TABLE IF NOT EXISTS "Step" (
    id          text PRIMARY KEY,
    "threadId"  text REFERENCES "Thread" (id) ON DELETE CASCADE,
    "parentId"  text REFERENCES "Step" (id) ON DELETE CASCADE,
    name        text,
    type        text NOT NULL,
    input       text,
    output      text,
    metadata    jsonb NOT NULL DEFAULT '{}',
    "showInput" text,
    "isError"   boolean DEFAULT false,
    "createdAt" timestamp NOT NULL DEFAULT now(),
    "startTime" timestamp NOT NULL DEFAULT now(),
    "endTime"   timestamp NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS step_of_thread ON "Step" ("threadId", "startTime");
CREATE INDEX IF NOT EXISTS step_of_parent ON "Step" ("parentId");

CREATE TABLE IF NOT EXISTS "Element" (
    id            text PRIMARY KEY,
    "threadId"    text REFERENCES "Thread" (id) ON DELETE CASCADE,
    "stepId"      text REFERENCES "Step" (id) ON DELETE CASCADE,
    name          text,
    mime          text,
    url           text,
    "objectKey"   text,
    "chainlitKey" text,
    display       text,
    size          text,
    language      text,
    page          integer,
    metadata      jsonb NOT NULL DEFAULT '{}',
    props         jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS element_of_thread ON "Element" ("threadId");
CREATE INDEX IF NOT EXISTS element_of_step ON "Element" ("stepId");

CREATE TABLE IF NOT EXISTS "Feedback" (
    id       text PRIMARY KEY,
    "stepId" text REFERENCES "Step" (id) ON DELETE CASCADE,
    name     text NOT NULL,
    value    double precision NOT NULL,
    comment  text
);
CREATE INDEX IF NOT EXISTS feedback_of_step ON "Feedback" ("stepId");
