{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'cards_snapshots') }}

),

renamed as (

    select
        _tenant as tenant,
        member_id,
        cast(listed_on as timestamptz) as applied_at,
        _ingested_at as loaded_at,
        _source as record_source,
        _new
    from source
    where is_whole

)

select * from renamed
