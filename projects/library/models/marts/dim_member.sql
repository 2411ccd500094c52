with members as (

    select * from {{ source('silver', 'members') }}

)

select
    member_id,
    min(joined) as joined
from members
group by member_id
