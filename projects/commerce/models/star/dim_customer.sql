{{ penstock_by_key(['store_id', 'customer_id'], affected='changed_customers') }}

with versions as (

    select
        store_id,
        customer_id,
        updated_at as applied_at,
        country,
        region,
        segment,
        is_member,
        marketing_consent,
        created_at,
        is_deleted
    from {{ penstock_affected(ref('stg_customers')) }}

),

compared as (

    select
        *,
        row(country, region, segment, is_member, marketing_consent, created_at, is_deleted) as says,
        lag(row(country, region, segment, is_member, marketing_consent, created_at, is_deleted)) over history as said,
        row_number() over history = 1 as is_first
    from versions
    window history as (partition by store_id, customer_id order by applied_at)

),

changes as (

    select
        *,
        row_number() over history as version,
        lead(applied_at) over history as valid_to
    from compared
    where is_first or says is distinct from said
    window history as (partition by store_id, customer_id order by applied_at)

),

members as (

    select
        {{ penstock_key('customer', ['customer_id', 'applied_at'], tenant='store_id') }} as customer_key,
        store_id,
        customer_id,
        version,
        applied_at as valid_from,
        valid_to,
        country,
        region,
        segment,
        is_member,
        marketing_consent,
        created_at,
        is_deleted
    from changes

),

persons as (

    select store_id, customer_id, person_id from {{ ref('int_persons') }}

),

others as (

    select
        unnest(['guest', 'unknown']) as customer_key

)

select
    members.customer_key,
    members.store_id,
    members.customer_id,
    coalesce(persons.person_id, members.customer_id) as person_id,
    cast(members.version as integer) as version,
    members.valid_from,
    members.valid_to,
    members.valid_to is null as is_current,
    false as is_guest,
    false as is_unknown,
    members.country,
    members.region,
    members.segment,
    members.is_member,
    members.marketing_consent,
    members.created_at,
    members.is_deleted
from members
left join persons on members.store_id = persons.store_id and members.customer_id = persons.customer_id
union all
select
    others.customer_key,
    null as store_id,
    null as customer_id,
    null as person_id,
    1 as version,
    null as valid_from,
    null as valid_to,
    true as is_current,
    others.customer_key = 'guest' as is_guest,
    others.customer_key = 'unknown' as is_unknown,
    null as country,
    null as region,
    null as segment,
    false as is_member,
    false as marketing_consent,
    null as created_at,
    false as is_deleted
from others
