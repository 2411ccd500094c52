{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'loans') }}

),

renamed as (

    select
        loan_id,
        member_id,
        title,
        status,
        fee,
        changed_at
    from source

)

select
    loan_id,
    member_id,
    title,
    status,
    coalesce(fee, 0) as fee,
    changed_at
from renamed
