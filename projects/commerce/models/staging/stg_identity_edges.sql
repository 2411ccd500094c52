{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'identity_edges') }}

)

select
    store_id,
    id_type,
    id_value,
    valid_from,
    person_id,
    valid_to,
    updated_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
