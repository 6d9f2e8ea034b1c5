-- What documents of projects' memory mean, and how often something was said.

alter table memory_documents
    -- Of unit length, so that a sum of products is the cosine; null where nothing makes them.
    add column embedding        real[],
    add column embedding_model  text,
    -- How many times it was sent, in these words or in others that mean the same.
    add column frequency        integer not null default 1,
    add constraint memory_documents_frequency_check check (frequency > 0),
    add constraint memory_documents_embedding_check check ((embedding is null) = (embedding_model is null));

-- What is compared by meaning, of one model.
create index memory_documents_embedding_idx on memory_documents (project_id, embedding_model, created_at desc)
    where embedding is not null;
