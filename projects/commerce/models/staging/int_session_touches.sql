{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'session_id'], affected='changed_visits') }}

-- Of touches that do not say whose they are, those of which the session does.
with sessions as (

    select *
    from {{ affected_rows(
        ref('stg_sessions'),
        source('silver', 'sessions'),
        columns=['store_id', 'session_id', 'customer_id']
    ) }}
    where customer_id is not null

)

select
    sessions.store_id,
    sessions.session_id,
    sessions.customer_id,
    touches.touch_id,
    touches.occurred_at,
    touches.channel
from {{ ref('stg_touches') }} as touches
inner join sessions
    on touches.store_id = sessions.store_id
    and touches.session_id = sessions.session_id
where touches.customer_id is null and touches.channel <> 'direct'
