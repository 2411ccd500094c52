with loans as (

    select * from {{ ref('stg_loans') }}

)

select
    status,
    count(*) as loans,
    cast(sum(fee) as decimal(18, 2)) as fees
from loans
group by status
